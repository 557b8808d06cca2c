#!/usr/bin/env bash
# The article's steps, each as the AWS CLI call behind the console's button; then the checks.
# Usage: deploy.sh [BUCKET]; needs AWS_ENDPOINT_URL (or `fogbank shell`), exits 0 only if all holds.
set -euo pipefail
cd "$(dirname "$0")"
aws=${AWS:-aws} bucket=${1:-my-aws-website} region=${AWS_DEFAULT_REGION:-us-east-1}

echo "1. Create the bucket, with Block Public Access off"
"$aws" s3api create-bucket --bucket "$bucket" >/dev/null
"$aws" s3api put-public-access-block --bucket "$bucket" --public-access-block-configuration \
    BlockPublicAcls=false,IgnorePublicAcls=false,BlockPublicPolicy=false,RestrictPublicBuckets=false

echo "2. Upload the files"
"$aws" s3 sync site/ "s3://$bucket/" --only-show-errors

echo "3. Enable static website hosting"
"$aws" s3 website "s3://$bucket/" --index-document index.html --error-document error.html

echo "4. Allow everyone to read, by bucket policy"
"$aws" s3api put-bucket-policy --bucket "$bucket" \
    --policy "$(sed "s/YOUR-BUCKET-NAME/$bucket/" policy.json)"

echo "5. Look at the website"
host=$bucket.s3-website-$region.amazonaws.com
failed=0
# fetch PATH STATUS TYPE TEXT
fetch() {
    local url=http://$host$1 to=() answer body
    if [ -n "${AWS_ENDPOINT_URL:-}" ]; then to=(--connect-to "$host:80:${AWS_ENDPOINT_URL#*://}"); fi
    answer=$(curl -sS --max-time 20 "${to[@]}" -w '\n%{http_code} %{content_type}' "$url")
    body=${answer%$'\n'*} answer=${answer##*$'\n'}
    if [[ $answer == "$2 $3"* && $body == *"$4"* ]]; then
        echo "   ok   $url -> $answer"
    else
        echo "   FAIL $url -> $answer, expected $2 $3 with '$4'"
        failed=1
    fi
}
fetch / 200 text/html "Hello from AWS S3!"
fetch /about/ 200 text/html "A folder has an index document too."
fetch /css/style.css 200 text/css "font-family"
fetch /no-such-page 404 text/html "404 from S3"
exit $failed
