/**
 * The same questions in bpftrace's language, for the threads whose comm begins with `prefix`. Between two forks of a
 * thread called `${prefix}!` it counts; what belongs to a stay on a CPU is counted when the stay ends, as we do.
 *
 * We look at an event after it: `after_*` says what it took from each of its looks to the end of its programs, in
 * nanoseconds and times, and what it took at most.
 */
export function script(prefix: string): string {
  const is = (what: string): string => `strncmp(${what}, "${prefix}", ${prefix.length}) == 0`;
  const after = (look: string, at: string): string =>
    `if (@counting) {
      $after = nsecs - ${at};
      @after_${look} = count(); @after_${look}_ns = sum($after); @after_${look}_most_ns = max($after);
    }`;
  return `
tracepoint:sched:sched_process_fork /strncmp(comm, "${prefix}!", ${prefix.length + 1}) == 0/ {
  @counting = @counting ? 0 : 1;
}
tracepoint:sched:sched_process_fork /@counting && ${is('comm')}/ { @forks = count(); }

tracepoint:sched:sched_waking /${is('args->comm')}/ {
  @waking[args->pid] = nsecs;
  if (@asleep[args->pid]) { @slept_ns[args->pid] = nsecs - @asleep[args->pid]; }
  delete(@asleep[args->pid]);
  @waking_queued[args->pid] = @queued_ns[tid];
  @waking_in_timer[args->pid] = @timer_late[cpu];
  @waking_in_work[args->pid] = @in_work[tid] && !@irq_at[cpu] && !@softirq_at[cpu] && !@timer_late[cpu] ? 1 : 0;
  ${after('waking', '@waking[args->pid]')}
}
/* In several programs: one would be too long for the verifier. They run in this order. */
tracepoint:sched:sched_switch /${is('args->prev_comm')}/ {
  $pid = args->prev_pid;
  $state = args->prev_state & 0xff;
  if (@counting && @on[$pid]) {
    if (@idle_ns[$pid]) {
      @remote_exits = count();
      @remote_exits_ns = sum(@idle_ns[$pid]);
    }
    if (@blocked_ns[$pid]) {
      @sleeps = count();
      @sleeps_ns = sum(@blocked_ns[$pid]);
    }
    if (@work[$pid]) { @works_ns = sum(@work_ns[$pid]); }
    @cache_hits = sum(@slice_hits[$pid]);
    /* A fault that is over, and has added no page. */
    if (@faulted[$pid] && $state == 1) { @cache_hits = sum(1); }
  }
  delete(@idle_ns[$pid]); delete(@blocked_ns[$pid]); delete(@work_ns[$pid]); delete(@slice_hits[$pid]);
  if ($state == 1) { delete(@faulted[$pid]); }
  @out_at[cpu] = nsecs;
  if ($state == 2) { @asleep[$pid] = @out_at[cpu]; }
}
tracepoint:sched:sched_switch /${is('args->next_comm')}/ {
  $pid = args->next_pid;
  if (@waking[$pid]) {
    @blocked_ns[$pid] = @slept_ns[$pid];
    @work_ns[$pid] = @waking_queued[$pid];
    if (@idle_exit[cpu] > @waking[$pid]) { @idle_ns[$pid] = @idle_exit[cpu] - @waking[$pid]; }
  }
  delete(@slept_ns[$pid]);
}

tracepoint:sched:sched_switch /${is('args->prev_comm')}/ {
  if (@counting && @on[args->prev_pid]) {
    @slices = count();
    @slices_ns = sum(nsecs - @on[args->prev_pid]);
    if (@woken_ns[args->prev_pid]) {
      @wakeups = count();
      @wakeups_ns = sum(@woken_ns[args->prev_pid]);
    }
    if (@waited_ns[args->prev_pid]) {
      @preempted = count();
      @preempted_ns = sum(@waited_ns[args->prev_pid]);
    }
    if (@left_idle[args->prev_pid]) { @idle_exits = count(); }
    if (@timer_ns[args->prev_pid]) {
      @timers = count();
      @timers_ns = sum(@timer_ns[args->prev_pid]);
    }
    if (@work[args->prev_pid]) { @works = count(); }
    @irqs = sum(@slice_irqs[args->prev_pid]);
    @irqs_ns = sum(@slice_irqs_ns[args->prev_pid]);
    @softirqs = sum(@slice_softirqs[args->prev_pid]);
    @softirqs_ns = sum(@slice_softirqs_ns[args->prev_pid]);
    @cache_adds = sum(@slice_adds[args->prev_pid]);
    @requests = sum(@slice_requests[args->prev_pid]);
  }
  delete(@on[args->prev_pid]);
  delete(@woken_ns[args->prev_pid]); delete(@waited_ns[args->prev_pid]);
  delete(@left_idle[args->prev_pid]);
  delete(@timer_ns[args->prev_pid]); delete(@work[args->prev_pid]);
  delete(@slice_irqs[args->prev_pid]); delete(@slice_irqs_ns[args->prev_pid]);
  delete(@slice_softirqs[args->prev_pid]); delete(@slice_softirqs_ns[args->prev_pid]);
  delete(@slice_adds[args->prev_pid]);
  delete(@slice_requests[args->prev_pid]);
  if ((args->prev_state & 0xff) == 0) { @ready[args->prev_pid] = nsecs; delete(@waking[args->prev_pid]); }
}
tracepoint:sched:sched_switch /${is('args->next_comm')}/ {
  @on[args->next_pid] = nsecs;
  if (@waking[args->next_pid]) {
    @woken_ns[args->next_pid] = nsecs - @waking[args->next_pid];
    @left_idle[args->next_pid] =
      @idle_exit[cpu] && (args->prev_pid == 0 || @idle_exit[cpu] >= @waking[args->next_pid]) ? 1 : 0;
    if (@waking_in_timer[args->next_pid]) {
      @timer_ns[args->next_pid] = @waking_in_timer[args->next_pid];
    }
    @work[args->next_pid] = @waking_in_work[args->next_pid] ? 1 : 0;
  } else if (@ready[args->next_pid]) {
    @waited_ns[args->next_pid] = nsecs - @ready[args->next_pid];
  }
  delete(@waking[args->next_pid]);
  delete(@ready[args->next_pid]);
  ${after('in', '@on[args->next_pid]')}
}
tracepoint:sched:sched_switch /${is('args->prev_comm')}/ { ${after('out', '@out_at[cpu]')} }
tracepoint:sched:sched_switch /args->next_pid == 0/ { delete(@idle_exit[cpu]); }
tracepoint:power:cpu_idle /args->state == 4294967295/ { @idle_exit[args->cpu_id] = nsecs; }
tracepoint:power:cpu_idle /args->state != 4294967295/ { delete(@idle_exit[args->cpu_id]); }

tracepoint:irq:irq_handler_entry,
tracepoint:irq_vectors:local_timer_entry,
tracepoint:irq_vectors:call_function_single_entry,
tracepoint:irq_vectors:call_function_entry { @irq_at[cpu] = nsecs; }
tracepoint:irq:irq_handler_exit,
tracepoint:irq_vectors:local_timer_exit,
tracepoint:irq_vectors:call_function_single_exit,
tracepoint:irq_vectors:call_function_exit {
  if (@irq_at[cpu] && ${is('comm')}) {
    @slice_irqs[tid]++;
    @slice_irqs_ns[tid] += nsecs - @irq_at[cpu];
  }
  @within[cpu] += nsecs - @irq_at[cpu];
  delete(@irq_at[cpu]);
}
tracepoint:irq:softirq_entry { @softirq_at[cpu] = nsecs; @within[cpu] = 0; }
tracepoint:irq:softirq_exit {
  if (@softirq_at[cpu] && ${is('comm')}) {
    @slice_softirqs[tid]++;
    @slice_softirqs_ns[tid] += nsecs - @softirq_at[cpu] - @within[cpu];
  }
  delete(@softirq_at[cpu]);
}

tracepoint:timer:hrtimer_start /${is('comm')}/ { @asked[args->hrtimer] = args->softexpires; }
tracepoint:timer:hrtimer_expire_entry /@asked[args->hrtimer]/ {
  @timer_late[cpu] = nsecs - @asked[args->hrtimer];
  delete(@asked[args->hrtimer]);
}
tracepoint:timer:hrtimer_expire_exit { delete(@timer_late[cpu]); }

tracepoint:workqueue:workqueue_queue_work {
  @queued[args->work] = nsecs;
  ${after('queued', '@queued[args->work]')}
}
tracepoint:workqueue:workqueue_execute_start {
  $at = nsecs;
  @in_work[tid] = 1;
  if (@queued[args->work]) { @queued_ns[tid] = $at - @queued[args->work]; }
  delete(@queued[args->work]);
  ${after('started', '$at')}
}
tracepoint:workqueue:workqueue_execute_end { delete(@in_work[tid]); delete(@queued_ns[tid]); }

tracepoint:filemap:mm_filemap_add_to_page_cache /${is('comm')}/ {
  @slice_adds[tid]++;
  @added[tid] = 1;
  delete(@faulted[tid]);
}
tracepoint:filemap:mm_filemap_get_pages /${is('comm')}/ {
  if (@faulted[tid]) { @slice_hits[tid]++; }
  if (!@added[tid]) { @slice_hits[tid]++; }
  delete(@faulted[tid]); delete(@added[tid]);
}
tracepoint:filemap:mm_filemap_fault /${is('comm')}/ {
  if (@faulted[tid]) { @slice_hits[tid]++; }
  @faulted[tid] = 1;
  delete(@added[tid]);
}

tracepoint:block:block_getrq /${is('comm')}/ {
  @slice_requests[tid]++;
  /* A flush has no sectors, and is issued as another request. */
  if (args->nr_sector > 0) { @wanted[args->dev, args->sector] = 1; }
}
tracepoint:block:block_rq_issue /@wanted[args->dev, args->sector]/ {
  delete(@wanted[args->dev, args->sector]);
  @issued[args->dev, args->sector] = nsecs;
}
tracepoint:block:block_rq_complete /@issued[args->dev, args->sector] && @counting/ {
  @completed = count();
  @completed_ns = sum(nsecs - @issued[args->dev, args->sector]);
  delete(@issued[args->dev, args->sector]);
}

END {
  clear(@on); clear(@waking); clear(@ready); clear(@asked);
  clear(@issued); clear(@wanted); clear(@in_work); clear(@queued); clear(@queued_ns);
  clear(@asleep); clear(@slept_ns); clear(@faulted); clear(@added); clear(@slice_hits);
}`;
}
