# SPDX-License-Identifier: GPL-2.0-only
#
# Packer: build an image with ccshm. Any builder works; this file uses QEMU and a Debian image.
#
#   packer build -var image=https://... -var checksum=sha512:... -var packages=build/deb .
#
# packages/ contains the packages of "make deb" and *.conf files for /etc/ccshm/buffers.d. The
# script install-ccshm in this directory installs them. From Packer 1.10 on, first run:
#
#   packer plugins install github.com/hashicorp/qemu
#
# The image must accept root by SSH: set ssh_password or ssh_private_key_file below. Debian's cloud images accept no
# login before cloud-init has configured one.
#
# This file is checked with "packer validate". "packer build" runs its provisioners in a root directory of Debian 13, with
# the files copied there, and install-ccshm is also tested in one of Debian 12; "packer build" with QEMU was not run.

variable "image" {
  type = string
}

variable "checksum" {
  type = string
}

variable "packages" {
  type = string
}

# Set both or none. The key does not leave the machine that builds the image.
variable "key" {
  type    = string
  default = ""
}

variable "certificate" {
  type    = string
  default = ""
}

locals {
  # Store the key in memory of the guest, never on the image's disk.
  secret = "/run/ccshm-image"
  files  = var.key == "" ? [] : [var.key, var.certificate]
  # Arguments for a shell, quoted.
  sign = join(" ", [for file in local.files : "'${local.secret}/${replace(basename(file), "'", "'\\''")}'"])
}

source "qemu" "debian" {
  iso_url          = var.image
  iso_checksum     = var.checksum
  disk_image       = true
  format           = "qcow2"
  output_directory = "output-ccshm"
  ssh_username     = "root"
  shutdown_command = "poweroff"
}

build {
  sources = ["source.qemu.debian"]

  provisioner "shell" {
    inline = ["mkdir -p -m 0700 /tmp/ccshm ${local.secret}"]
  }

  provisioner "file" {
    source      = "${var.packages}/"
    destination = "/tmp/ccshm"
  }

  provisioner "file" {
    sources     = concat(["${path.root}/install-ccshm"], local.files)
    destination = "${local.secret}/"
  }

  provisioner "shell" {
    inline = [
      "apt-get update",
      # The headers of the running kernel, and the newest kernel with its headers: install-ccshm checks
      # both.
      "apt-get install -y --no-install-recommends dkms linux-headers-$(uname -r) linux-image-cloud-amd64 linux-headers-cloud-amd64 libmnl0 libsmartcols1",
      "bash ${local.secret}/install-ccshm /tmp/ccshm ${local.sign}",
      "rm -rf /tmp/ccshm ${local.secret}",
    ]
  }
}
