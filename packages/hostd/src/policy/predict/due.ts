/** Whether what is derived from this many observations is due to be refreshed. */
export function dueAt(events: number): boolean {
  return events < 64 || events % 8 === 0;
}
