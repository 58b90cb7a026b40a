import { type ChatMessage, type Reply, textOf } from './chat-protocol.ts';

/**
 * The script that stands in for a model: it studies a source tree, topic by topic, and decides by what the tools
 * have answered. A pure function of the conversation, so that every run of the same length is the same run.
 */
export function scenario(steps: number): (messages: ChatMessage[]) => Reply {
  return (messages) => {
    const turn = messages.filter((message) => message.role === 'assistant').length;
    const toolCalls = messages.filter((message) => message.role === 'tool').length;
    // This answer is a step itself; if it calls tools, another model call follows.
    const plan = turn + toolCalls + 1 >= steps ? finish(messages) : planTurn(turn, messages);
    return {
      text: plan.text,
      calls: (plan.calls ?? []).map(([name, args], index) => ({ id: `call_${turn}_${index}`, name, args })),
    };
  };
}

type Call = [tool: string, args: Record<string, unknown>];
interface Turn {
  text: string;
  calls?: Call[];
}

const TOPICS = [
  'AbortSignal',
  'retry',
  'timeout',
  'stream',
  'runId',
  'cache',
  'schema',
  'concurrency',
  'callbacks',
  'metadata',
  'tool_call',
  'embedding',
] as const;

/** Every topic is one round of these turns. */
const ROUND = [look, read, measure, record] as const;

function planTurn(turn: number, messages: ChatMessage[]): Turn {
  if (turn === 0)
    return {
      text: 'I will look at the measured services first, then at the source, topic by topic.',
      // A mistake, as models make them: the column has another name.
      calls: [['query_sql', { sql: 'SELECT provider, avg(ttft) FROM latency GROUP BY provider' }]],
    };
  if (turn === 1)
    return {
      text: 'That column does not exist; correcting the query.',
      calls: [
        [
          'query_sql',
          { sql: 'SELECT provider, round(avg(ttft_ms), 1) AS ms FROM latency GROUP BY 1 ORDER BY 2' },
        ],
      ],
    };
  const round = Math.floor((turn - 2) / ROUND.length);
  const act = ROUND[(turn - 2) % ROUND.length] as (typeof ROUND)[number];
  const topic = TOPICS[round % TOPICS.length] as string;
  // Later passes over the topics read on where the earlier ones stopped.
  return act({ topic, pass: Math.floor(round / TOPICS.length), messages });
}

interface Stage {
  topic: string;
  pass: number;
  messages: ChatMessage[];
}

function look({ topic }: Stage): Turn {
  return {
    text: `Where does the source deal with ${topic}?`,
    calls: [
      ['search_files', { text: topic, limit: 6 }],
      ['run_command', { program: 'grep', args: ['-ci', topic, 'runnables/base.js'] }],
    ],
  };
}

function read({ topic, pass, messages }: Stage): Turn {
  const files = topFiles(messages, topic).slice(0, 3);
  if (files.length === 0) return nothingOf(topic);
  return {
    text: `Reading the ${files.length} files with the most of it.`,
    calls: files.map(({ path }) => ['read_file', { path, from: 1 + pass * 12, lines: 12 }]),
  };
}

function measure({ topic, messages }: Stage): Turn {
  const files = topFiles(messages, topic).slice(0, 3);
  if (files.length === 0) return nothingOf(topic);
  const paths = files.map(({ path }) => path);
  return {
    text: 'How large are they, and have they changed?',
    calls: [
      ['run_command', { program: 'wc', args: ['-l', ...paths] }],
      ['run_command', { program: 'cksum', args: paths }],
    ],
  };
}

function record({ topic, messages }: Stage): Turn {
  const rows = topFiles(messages, topic)
    .slice(0, 3)
    .map(({ path, matches }) => `('${topic}', '${path}', ${matches}, ${linesOf(messages, path)})`);
  if (rows.length === 0) return nothingOf(topic);
  return {
    text: 'Keeping that.',
    calls: [['query_sql', { sql: `INSERT INTO findings VALUES ${rows.join(', ')}` }]],
  };
}

function nothingOf(topic: string): Turn {
  return {
    text: `The source has no ${topic}. How large is it?`,
    calls: [['run_command', { program: 'du', args: ['-s', '--apparent-size', '.'] }]],
  };
}

function finish(messages: ChatMessage[]): Turn {
  const searches = results(messages).filter((result) => Array.isArray(result.top));
  const best = searches.flatMap(({ top }) => top as Hit[]).sort((a, b) => b.matches - a.matches)[0];
  const matches = searches.reduce((sum, result) => sum + Number(result.matches), 0);
  const fastest = results(messages).find((result) => Array.isArray(result.rows) && result.rows.length > 0);
  const service = (fastest?.rows as { provider: string; ms: number }[] | undefined)?.[0];
  return {
    text: [
      `I looked into ${searches.length} topics and found ${matches} places in the source.`,
      best ? `Most of one topic stands in ${best.path}: ${best.matches} places.` : 'No file stood out.',
      service
        ? `Of the measured services, ${service.provider} answers first: ${service.ms} ms to the first token on average.`
        : 'The services were not compared.',
      'The files, their lengths and the counts are in the table of findings.',
    ].join(' '),
  };
}

interface Hit {
  path: string;
  matches: number;
}

/** Tool answers that are JSON objects, oldest first. */
function results(messages: ChatMessage[]): Record<string, unknown>[] {
  return messages
    .filter((message) => message.role === 'tool')
    .map((message) => {
      const text = textOf(message);
      return text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
    });
}

/** What the latest search for a topic found. */
function topFiles(messages: ChatMessage[], topic: string): Hit[] {
  const calls = messages.flatMap((message) => message.tool_calls ?? []);
  const search = calls.findLast(
    ({ function: { name, arguments: args } }) => name === 'search_files' && JSON.parse(args).text === topic,
  );
  const answer = messages.find((message) => message.tool_call_id === search?.id);
  return answer ? ((results([answer])[0]?.top as Hit[] | undefined) ?? []) : [];
}

function linesOf(messages: ChatMessage[], path: string): number {
  const file = results(messages).findLast((result) => result.path === path);
  return Number(file?.lines ?? 0);
}
