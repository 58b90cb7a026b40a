import { Command } from 'commander';
import { classesCommand } from './classes.ts';
import { controlCommands } from './control.ts';
import { doctorCommand } from './doctor.ts';
import { hostdCommand } from './hostd.ts';
import { restoreCommand } from './restore.ts';
import { showCommands } from './show.ts';
import { simulateCommand } from './simulate.ts';
import { statsCommand } from './stats.ts';
import { topCommand } from './top.ts';
import { packageVersion } from './version.ts';

/** The `prewake` command. What a command needs beyond its flags is loaded when it runs. */
export function createProgram(): Command {
  const program = new Command('prewake')
    .description('Arms guards just before the wakeups that agents announce, and says what each wakeup paid.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(oneLine(text)) });
  const commands = [
    hostdCommand(),
    ...showCommands(),
    topCommand(),
    statsCommand(),
    classesCommand(),
    ...controlCommands(),
    doctorCommand(),
    restoreCommand(),
    simulateCommand(),
  ];
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program));
  return program;
}

/** commander's complaint and its suggestion, on one line and under our name. */
function oneLine(text: string): string {
  return `prewake: ${text
    .trim()
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')}\n`;
}
