#!/bin/busybox sh
# The rig's init: the host's root, read-only over 9p, under a tmpfs, becomes the root of the guest; then the job
# that the host left in the share runs in it, and the machine powers off.
export PATH=/bin
/bin/busybox mkdir -p /sbin /usr/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module" || echo "rig: no module $module"; done < /modules/order

mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host || echo "rig: no host root"
mount -t tmpfs -o size=75% tmpfs /upper
mkdir -p /upper/data /upper/work
mount -t overlay -o lowerdir=/host,upperdir=/upper/data,workdir=/upper/work overlay /root

mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
cd /root
mount -t tmpfs tmpfs run
mkdir -p run/rig dev/pts dev/shm
mount -t devpts devpts dev/pts
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t tmpfs tmpfs dev/shm
mount -t tracefs tracefs sys/kernel/tracing
mount -t debugfs debugfs sys/kernel/debug
mount -t bpf bpf sys/fs/bpf
mount -t cgroup2 cgroup2 sys/fs/cgroup
# No cache: the host reads what the job writes, and the job reads the debug console that QEMU writes.
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=none out run/rig || echo "rig: no share"
ip link set lo up
echo "rig: up"
chroot /root /bin/sh /run/rig/job.sh
echo "rig: exit $?"
poweroff -f
