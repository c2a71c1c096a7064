# Debian as debootstrap makes it, where images cannot be pulled.
FROM scratch
ADD debian.tar /
CMD ["bash"]
