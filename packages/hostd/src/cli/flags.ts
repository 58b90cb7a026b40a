import { InvalidArgumentError } from 'commander';
import { parseListen } from '../daemon/config-values.ts';

/** Parsers of flag values for commander, which puts the flag's name before the message. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

export function listenAddress(text: string): string {
  try {
    parseListen('It', text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
