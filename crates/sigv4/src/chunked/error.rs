//! S3's errors for a chunked body that is not as it should be.

use fogbank_core::ApiError;

pub fn no_length() -> ApiError {
    let m = "You must provide the Content-Length HTTP header.";
    ApiError::new("MissingContentLength", m).status(411)
}

/// The input ended too early.
pub fn terminated() -> ApiError {
    ApiError::new("IncompleteBody", "The request body terminated unexpectedly").status(400)
}

/// Something that is no chunk.
pub fn framing() -> ApiError {
    terminated().context("malformed aws-chunked framing")
}

/// More or fewer bytes than `x-amz-decoded-content-length` says.
pub fn length_differs() -> ApiError {
    ApiError::new(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
    .status(400)
}

/// `chunk` counts from one.
pub fn bad_size(chunk: u64, size: u64) -> ApiError {
    ApiError::new(
        "InvalidChunkSizeError",
        "Only the last chunk is allowed to have a size less than 8192 bytes",
    )
    .status(403)
    .field("Chunk", chunk.to_string())
    .field("BadChunkSize", size.to_string())
}

pub fn malformed_trailer() -> ApiError {
    ApiError::new(
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our \
         published schema.",
    )
    .status(400)
}
