# Holds a pod's network namespace; also runs the volume provisioner's shell scripts.
FROM docker.io/library/debian:bookworm-slim
USER 65535:65535
ENTRYPOINT ["sleep", "infinity"]
