# An S3 server that keeps objects as files, in the layout of its own image.
FROM debian:bookworm-slim
COPY versitygw /usr/local/bin/versitygw
ENTRYPOINT ["/usr/local/bin/versitygw"]
