import { InvalidArgumentError } from 'commander';
import { parseListen } from '../daemon/config-values.ts';

/** Parsers of flag values for commander, which puts the flag's name before the message. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** Between two looks. Less than a second would be hostd's load, more than a day is nobody's wish. */
export function seconds(text: string): number {
  const value = wholeNumber(text);
  if (value < 1 || value > 86_400) throw new InvalidArgumentError('It must be 1 to 86400 seconds.');
  return value;
}

export function listenAddress(text: string): string {
  try {
    parseListen('It', text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
