/**
 * For tests: a Python program that makes io_uring requests of its own, since libuv's newer versions make none for
 * files. Each line of input is a number of timeouts of a millisecond, one after the other; the upper half of their
 * user_data is 42, as a program would do that keeps its step there. A negative number is of requests that are done at
 * once, after a sleep of 20 ms in which nothing is outstanding.
 */
export const RING_USER = `
import ctypes, mmap, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
SETUP, ENTER, NOP, TIMEOUT = 425, 426, 0, 11
params = ctypes.create_string_buffer(120)
fd = libc.syscall(SETUP, 8, params)
if fd < 0:
    print("errno", ctypes.get_errno(), flush=True)
    sys.exit(1)
entries, completions = struct.unpack_from("II", params.raw, 0)
sq_head, sq_tail, sq_mask, sq_entries, sq_flags, sq_dropped, sq_array = struct.unpack_from("7I", params.raw, 40)
cq_head, cq_tail, cq_mask, cq_entries, cq_overflow, cqes = struct.unpack_from("6I", params.raw, 80)
size = max(sq_array + entries * 4, cqes + completions * 16)
ring = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0)
sqes = mmap.mmap(fd, entries * 64, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0x10000000)
spec = ctypes.create_string_buffer(struct.pack("qq", 0, 1000000), 16)

def word(at):
    return struct.unpack_from("I", ring, at)[0]

def request(number, opcode):
    tail = word(sq_tail)
    index = tail & word(sq_mask)
    # opcode, flags, ioprio, fd, off, addr, len, timeout_flags, user_data
    what = (ctypes.addressof(spec), 1) if opcode == TIMEOUT else (0, 0)
    sqe = struct.pack("BBHiQQIIQ", opcode, 0, 0, -1, 0, *what, 0, (42 << 32) | number)
    sqes[index * 64:index * 64 + 64] = sqe.ljust(64, b"\\0")
    struct.pack_into("I", ring, sq_array + index * 4, index)
    struct.pack_into("I", ring, sq_tail, tail + 1)
    libc.syscall(ENTER, fd, 1, 1, 1, None, 0)
    struct.pack_into("I", ring, cq_head, word(cq_tail))

print("ready", flush=True)
for line in sys.stdin:
    count = int(line)
    if count < 0:
        time.sleep(0.02)
    for number in range(abs(count)):
        request(number, TIMEOUT if count > 0 else NOP)
    print("done", flush=True)
`;
