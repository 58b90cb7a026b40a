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
    .helpCommand(false)
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
    helpCommand(program),
  ];
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program));
  return program;
}

/** In place of commander's own, which has no word for a command that there is not. */
function helpCommand(program: Command): Command {
  return new Command('help')
    .description('print the help of a command')
    .helpOption(false)
    .argument('[command]')
    .action((name?: string) => {
      const asked =
        name === undefined ? program : program.commands.find((command) => command.name() === name);
      if (asked) asked.help();
      else program.parse([name as string], { from: 'user' });
    });
}

/** commander's complaint and its suggestion, on one line and under our name. */
function oneLine(text: string): string {
  const complaint = text
    .trim()
    .replace(/^error: /, '')
    .replaceAll('\n', ' ');
  return `prewake: ${complaint} (PREWAKE_USAGE)\n`;
}
