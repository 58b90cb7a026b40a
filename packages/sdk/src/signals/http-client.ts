import { listen } from './channels.ts';
import { signalled } from './deliver.ts';
import { ResponseSignals } from './response-signals.ts';

interface RequestMessage {
  request: object;
}

/** Signals from node:http's and node:https's clients, which axios, got and older libraries use. */
export function listenToHttpClient(): () => void {
  const requests = new WeakMap<object, ResponseSignals>();
  return listen({
    'http.client.request.created': ({ request }: RequestMessage) => {
      const scope = signalled();
      if (scope) requests.set(request, new ResponseSignals(scope));
    },
    'http.client.request.start': ({ request }: RequestMessage) => requests.get(request)?.sent(),
    'http.client.response.finish': ({
      request,
      response,
    }: RequestMessage & { response: { headers: Record<string, unknown> } }) =>
      requests.get(request)?.headers(response.headers),
  });
}
