#!/bin/sh
# Prepares the object store: the bucket, the two accounts the services use, and the rule that announces every upload.
# A one-shot job of compose.yaml that may run any number of times. Root's credentials are used here and nowhere else.
set -eu

: "${MINIO_BUCKET:?is not set}" "${MC_HOST_store:?is not set}"
: "${MINIO_ACCESS_KEY:?is not set}" "${MINIO_SECRET_KEY:?is not set}"
: "${MINIO_SIGNER_ACCESS_KEY:?is not set}" "${MINIO_SIGNER_SECRET_KEY:?is not set}"

mc=$(command -v mc || command -v mcli)
target=arn:minio:sqs::CLIPSTREAM:amqp
policies=$(mktemp -d)
trap 'rm -rf "$policies"' EXIT

# retry SECONDS COMMAND...: until it succeeds; its last words are shown when it does not.
retry() {
    left=$1
    shift
    until "$@" >"$policies/answer" 2>&1; do
        left=$((left - 1))
        if [ "$left" -le 0 ]; then
            cat "$policies/answer" >&2
            echo "storage-setup: gave up on: $2 $3 $4" >&2
            return 1
        fi
        sleep 1
    done
}

# The services' own account: this bucket, and nothing else of the server.
cat >"$policies/clipstream-app.json" <<POLICY
{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow",
   "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
   "Resource": ["arn:aws:s3:::$MINIO_BUCKET/*"]},
  {"Effect": "Allow",
   "Action": ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads", "s3:GetBucketNotification"],
   "Resource": ["arn:aws:s3:::$MINIO_BUCKET"]}]}
POLICY

# The signer's access key is printed in every upload address. It can write below raw-uploads/ and read nothing, so a
# smuggled x-amz-copy-source finds nothing to copy; the Deny closes the way that writes with a key and no signature
# (CVE-2026-41145).
cat >"$policies/clipstream-signer.json" <<POLICY
{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow",
   "Action": ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
   "Resource": ["arn:aws:s3:::$MINIO_BUCKET/raw-uploads/*"]},
  {"Effect": "Deny",
   "Action": ["s3:PutObject"],
   "Resource": ["arn:aws:s3:::$MINIO_BUCKET/*"],
   "Condition": {"StringEquals": {"s3:x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}}}]}
POLICY

# account POLICY ACCESS_KEY SECRET_KEY: the secret goes in by standard input, never on a command line.
account() {
    retry 10 "$mc" admin policy create store "$1" "$policies/$1.json"
    printf '%s\n%s\n' "$2" "$3" | "$mc" --quiet admin user add store >/dev/null
    case "$("$mc" admin user info store "$2")" in
        *"PolicyName: $1"*) ;;
        *) "$mc" --quiet admin policy attach store "$1" --user "$2" >/dev/null ;;
    esac
}

retry 90 "$mc" ready store
retry 10 "$mc" mb --ignore-existing "store/$MINIO_BUCKET"
account clipstream-app "$MINIO_ACCESS_KEY" "$MINIO_SECRET_KEY"
account clipstream-signer "$MINIO_SIGNER_ACCESS_KEY" "$MINIO_SIGNER_SECRET_KEY"

# A server that has just started may not know its target yet ("ARN does not exist"), hence the retry; and a server whose
# target is misconfigured starts without it and says so only in its log, hence the look at what came of it.
retry 30 "$mc" event add --ignore-existing --event put --prefix raw-uploads/ "store/$MINIO_BUCKET" "$target"
case "$("$mc" event list "store/$MINIO_BUCKET")" in
    *CLIPSTREAM:amqp*raw-uploads/*) echo "storage-setup: bucket $MINIO_BUCKET announces uploads to $target" ;;
    *)
        echo "storage-setup: the bucket does not announce uploads; see the object store's log for its AMQP target" >&2
        exit 1
        ;;
esac
