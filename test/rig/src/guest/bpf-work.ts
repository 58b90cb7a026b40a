// What `bpf-witness.ts` has its process do, in Perl.

export const MAJOR_FAULTS = 150;

/** A fork between two sleeps: the slices on either side of it hold next to nothing else. */
export const MARK = oneLine(`
select(undef, undef, undef, 0.002);
if (!fork) { exit }
wait;
select(undef, undef, undef, 0.002);`);

/** Lists two folders, and opens and asks for the status of files in them: no cache holds any of it. */
export const COLD_NAMES = oneLine(`
for my $name ("/usr/bin", "/usr/sbin") {
  opendir(my $d, $name); my @all = readdir $d; closedir $d;
  for (@all[0 .. 59]) { stat "$name/$_"; open(my $f, "<", "$name/$_") }
}`);

/** 8 MB of fresh memory. */
export const MINOR_FAULTS = 'my $memory = "x" x 8000000;';

/** Touches a byte in each of many places of a file that no cache holds: mmap, madvise(MADV_RANDOM), on x86-64. */
export function majorFaults(file: string): string {
  return oneLine(`
open(my $f, "<", "${file}") or die;
my $stride = 4096 * int((-s $f) / 4096 / ${MAJOR_FAULTS});
my $at = syscall(9, 0, $stride * ${MAJOR_FAULTS}, 1, 2, fileno($f), 0);
syscall(28, $at, $stride * ${MAJOR_FAULTS}, 1);
for my $i (0 .. ${MAJOR_FAULTS - 1}) { my $byte = unpack("P1", pack("J", $at + $i * $stride)) }`);
}

function oneLine(perl: string): string {
  return perl.replaceAll('\n', ' ');
}
