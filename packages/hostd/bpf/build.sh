#!/bin/sh
# Compiles prewake.bpf.c for each architecture, next to the source or into the directory given.
# Needs clang (the committed objects: major version 14, Debian 12's) and libbpf's headers (Debian: libbpf-dev).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "${1:-$here}" && pwd)
cd "$here" # relative names, so that the object carries no path of the machine that built it
for pair in x64:x86 arm64:arm64; do
	clang -g -O2 -Wall -Werror -target bpf -D__TARGET_ARCH_"${pair#*:}" \
		-fdebug-compilation-dir=. -c prewake.bpf.c -o "$out/prewake.${pair%:*}.bpf.o"
	llvm-strip -g "$out/prewake.${pair%:*}.bpf.o"
done
