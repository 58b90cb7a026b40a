/** The fields of a /proc/PID/task/TID/stat (proc_pid_stat(5)) from field 3, the state, on. */
function fieldsOf(stat: string): string[] {
  // The comm in parentheses may hold spaces and parentheses itself.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Field 22, clock ticks since boot, as the kernel prints it. Undefined: no such thread, or only its zombie. */
export function startTimeIn(stat: string | undefined): string | undefined {
  const fields = stat === undefined ? [] : fieldsOf(stat);
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** Field 39, the CPU on which it last ran; undefined where there is no such thread. */
export function lastCpuIn(stat: string | undefined): number | undefined {
  const cpu = stat === undefined ? undefined : fieldsOf(stat)[36];
  return cpu === undefined ? undefined : Number(cpu);
}
