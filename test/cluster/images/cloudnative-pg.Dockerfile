# The operator of CloudNativePG in the layout of its own image: instances copy /manager into their pods.
FROM debian:bookworm-slim
COPY cloudnative-pg /operator/manager_amd64
RUN ln -s operator/manager_amd64 /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
