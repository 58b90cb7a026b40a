/** The part of the OpenAI chat-completions protocol that the model server speaks. */

export interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

export interface ChatMessage {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  content: string | null | { type: string; text?: string }[];
  tool_calls?: ToolCall[];
  tool_call_id?: string;
}

export interface ChatRequest {
  model: string;
  messages: ChatMessage[];
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
}

/** What the model answers: text, and the tools that it wants called (in parallel where there are several). */
export interface Reply {
  text: string;
  calls: { id: string; name: string; args: Record<string, unknown> }[];
}

/** Plain text of a message. */
export function textOf(message: ChatMessage): string {
  if (typeof message.content === 'string') return message.content;
  return (message.content ?? []).map((part) => part.text ?? '').join('');
}

/** Pieces of about four characters: what English text gives with common tokenizers. */
export function tokensOf(text: string): string[] {
  return text.match(/\s*\S{1,4}/g) ?? [];
}

/** The `delta` of each streamed chunk, one for each token. */
export function deltasOf(reply: Reply): object[] {
  const deltas: object[] = tokensOf(reply.text).map((content) => ({ content }));
  reply.calls.forEach((call, index) => {
    const head = { index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } };
    deltas.push({ tool_calls: [head] });
    for (const piece of tokensOf(JSON.stringify(call.args)))
      deltas.push({ tool_calls: [{ index, function: { arguments: piece } }] });
  });
  if (deltas.length === 0) deltas.push({ content: '' });
  return deltas;
}

/** The answer to a request that does not stream. */
export function messageOf(reply: Reply): object {
  const tool_calls = reply.calls.map((call) => ({
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: JSON.stringify(call.args) },
  }));
  return {
    role: 'assistant',
    content: reply.text,
    ...(tool_calls.length > 0 && { tool_calls }),
  };
}
