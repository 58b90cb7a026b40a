/**
 * The questions of `bpf-witness.ts` in bpftrace's language, for one process with one thread. Between its first fork and
 * its second it counts. Calls are kept on a stack of their own, and nothing of ours is read.
 */
export function witnessScript(pid: number): string {
  const call = (kind: string, func: string): string => `
kfunc:${func} /pid == ${pid}/ { @call_at[@depth] = nsecs; @depth++; }
kretfunc:${func} /pid == ${pid} && @depth > 0/ {
  @depth--;
  if (@counting) {
    @${kind} = count();
    @${kind}_ns = sum(nsecs - @call_at[@depth]);
    if (@depth == 0) { @vfs_ns = sum(nsecs - @call_at[0]); }
  }
}`;
  return `
tracepoint:sched:sched_process_fork /pid == ${pid}/ { @counting = @counting ? 0 : 1; }

kfunc:handle_mm_fault /pid == ${pid}/ { @fault_at = nsecs; @fault_off = 0; }
kretfunc:handle_mm_fault /pid == ${pid} && @fault_at/ {
  if (@counting) {
    @fault = count();
    @fault_ns = sum(nsecs - @fault_at);
    @fault_on_cpu_ns = sum(nsecs - @fault_at - @fault_off);
  }
  @fault_at = 0;
}
${call('open', 'do_filp_open')}
${call('stat', 'vfs_statx')}
${call('readdir', 'iterate_dir')}
${call('lookup', 'filename_lookup')}

tracepoint:sched:sched_switch /args->prev_pid == ${pid}/ {
  @off_at = nsecs;
  @blocked = args->prev_state & 2;
  @waking_at = 0;
}
tracepoint:sched:sched_waking /args->pid == ${pid}/ { @waking_at = nsecs; }
tracepoint:sched:sched_waking /args->pid == ${pid} && @blocked/ {
  @blocked = 0;
  if (@counting && @fault_at) { @fault_block_ns = sum(nsecs - @off_at); }
  if (@counting && @depth > 0) { @vfs_block_ns = sum(nsecs - @off_at); }
}

tracepoint:power:cpu_frequency { @khz_of[args->cpu_id] = args->state; }
tracepoint:power:cpu_idle /args->state != 4294967295/ {
  @state_of[args->cpu_id] = args->state;
  @left_at[args->cpu_id] = 0;
}
tracepoint:sched:sched_switch /args->next_pid == 0/ { @left_at[cpu] = 0; }
tracepoint:power:cpu_idle /args->state == 4294967295/ { @left_at[args->cpu_id] = nsecs; }
tracepoint:sched:sched_switch /args->next_pid == ${pid}/ {
  if (@fault_at) { @fault_off += nsecs - @off_at; }
  if (@counting) {
    @switch = count();
    @khz[@khz_of[cpu]] = count();
    if (@left_at[cpu] && (args->prev_pid == 0 || (@waking_at && @left_at[cpu] >= @waking_at))) {
      @left[@state_of[cpu]] = count();
    }
  }
}

END { clear(@call_at); clear(@khz_of); clear(@state_of); clear(@left_at); }`;
}
