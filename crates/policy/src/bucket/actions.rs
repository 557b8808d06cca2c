//! The actions a bucket's policy can name, by what they work on; separated by blanks.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>

/// On objects.
pub const OBJECT: &str = "\
    AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging \
    DeleteObjectVersion DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAttributes \
    GetObjectLegalHold GetObjectRetention GetObjectTagging GetObjectTorrent GetObjectVersion \
    GetObjectVersionAcl GetObjectVersionAttributes GetObjectVersionForReplication \
    GetObjectVersionTagging GetObjectVersionTorrent InitiateReplication ListMultipartUploadParts \
    ObjectOwnerOverrideToBucketOwner PutObject PutObjectAcl PutObjectLegalHold \
    PutObjectRetention PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging \
    ReplicateDelete ReplicateObject ReplicateTags RestoreObject UpdateObjectEncryption";

/// On the bucket.
pub const BUCKET: &str = "\
    CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket \
    DeleteBucketMetadataTableConfiguration DeleteBucketPolicy DeleteBucketWebsite \
    DeleteBucketOwnershipControls GetAccelerateConfiguration GetAnalyticsConfiguration \
    GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging \
    GetBucketMetadataTableConfiguration GetBucketNotification GetBucketObjectLockConfiguration \
    GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock \
    GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite \
    GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration \
    GetLifecycleConfiguration GetMetricsConfiguration GetReplicationConfiguration ListBucket \
    ListBucketMultipartUploads ListBucketVersions ListTagsForResource PutAccelerateConfiguration \
    PutAnalyticsConfiguration PutBucketAcl PutBucketCORS PutBucketLogging PutBucketNotification \
    PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy \
    PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging PutBucketVersioning \
    PutBucketWebsite PutEncryptionConfiguration PutIntelligentTieringConfiguration \
    PutInventoryConfiguration PutLifecycleConfiguration PutMetricsConfiguration \
    PutReplicationConfiguration TagResource UntagResource";
