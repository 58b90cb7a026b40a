import { expect, test } from 'vitest';
import type { ChatMessage, Reply } from './chat-protocol.ts';
import { scenario } from './scenario.ts';

/** Plays the script against an `answer` for every tool call. */
function play(steps: number, answer: (name: string) => string): { replies: Reply[]; steps: number } {
  const next = scenario(steps);
  const messages: ChatMessage[] = [{ role: 'user', content: 'go' }];
  const replies: Reply[] = [];
  for (;;) {
    const reply = next(messages);
    replies.push(reply);
    if (reply.calls.length === 0) break;
    messages.push({
      role: 'assistant',
      content: reply.text,
      tool_calls: reply.calls.map(({ id, name, args }) => ({
        id,
        type: 'function',
        function: { name, arguments: JSON.stringify(args) },
      })),
    });
    for (const { id, name } of reply.calls)
      messages.push({ role: 'tool', tool_call_id: id, content: answer(name) });
  }
  return { replies, steps: messages.length };
}

const hits = (paths: string[]) =>
  JSON.stringify({ matches: paths.length, top: paths.map((path) => ({ path, matches: 1 })) });

test.each([1, 2, 10, 64, 300])('%i steps are made, and few more', (wanted) => {
  const { steps } = play(wanted, (name) => (name === 'search_files' ? hits(['a.js', 'b.js', 'c.js']) : '{}'));
  expect(steps).toBeGreaterThanOrEqual(wanted);
  expect(steps).toBeLessThan(wanted + 4);
});

test('some tools are called in parallel, and what is read is what was found', () => {
  const { replies } = play(64, (name) => (name === 'search_files' ? hits(['a.js', 'b.js']) : '{}'));
  const reads = replies.filter((reply) => reply.calls[0]?.name === 'read_file');
  expect(reads.length).toBeGreaterThan(3);
  for (const { calls } of reads) expect(calls.map((call) => call.args.path)).toEqual(['a.js', 'b.js']);
});

test('a tree without hits, and tools that fail, still come to an end', () => {
  expect(play(64, () => hits([])).steps).toBeGreaterThanOrEqual(64);
  expect(play(64, () => 'Error: no').steps).toBeGreaterThanOrEqual(64);
});

test('the same conversation gets the same answer', () => {
  const answer = (name: string) => (name === 'search_files' ? hits(['a.js']) : '{"x":1}');
  expect(play(64, answer)).toEqual(play(64, answer));
});
