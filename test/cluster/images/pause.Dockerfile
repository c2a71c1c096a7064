# Holds a pod's network namespace; also runs the volume provisioner's shell scripts.
FROM debian:bookworm-slim
# The provisioner makes volumes of the node, which are root's.
ENTRYPOINT ["sleep", "infinity"]
