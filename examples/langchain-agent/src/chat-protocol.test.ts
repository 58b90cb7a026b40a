import { expect, test } from 'vitest';
import { deltasOf, textOf, tokensOf } from './chat-protocol.ts';

test('tokens put together are the text', () => {
  const text = 'I will look at\n  the measured services first.';
  expect(tokensOf(text).join('')).toBe(text);
  expect(tokensOf('')).toEqual([]);
});

test('a parallel call streams its head first and its arguments in pieces', () => {
  const args = { path: 'runnables/base.js', lines: 12 };
  const deltas = deltasOf({
    text: '',
    calls: [
      { id: 'a', name: 'one', args: {} },
      { id: 'b', name: 'two', args },
    ],
  });
  const parts = (
    deltas as { tool_calls: { index: number; id?: string; function: { arguments: string } }[] }[]
  )
    .flatMap((delta) => delta.tool_calls)
    .filter((call) => call.index === 1);
  expect(parts[0]).toMatchObject({ id: 'b', function: { name: 'two' } });
  expect(parts.length).toBeGreaterThan(2);
  expect(JSON.parse(parts.map((part) => part.function.arguments).join(''))).toEqual(args);
});

test('an empty reply is still one chunk', () => {
  expect(deltasOf({ text: '', calls: [] })).toEqual([{ content: '' }]);
});

test('text of content in parts', () => {
  expect(textOf({ role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'image' }] })).toBe('a');
  expect(textOf({ role: 'assistant', content: null })).toBe('');
});
