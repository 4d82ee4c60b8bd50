/** `hookfleet completion`: a script that teaches a shell our commands and flags. */
import { Argument, type Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { type CommandTree, completionScript, type Shell, SHELLS } from '../completion-script.ts';
import { EXIT } from '../exit-status.ts';

export function addCompletion(program: Command, { end }: CommandContext): void {
  program
    .command('completion')
    .description('a script for the shell: source <(hookfleet completion bash)')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action((shell: Shell) => {
      process.stdout.write(completionScript(shell, treeOf(program)));
      return end(EXIT.done);
    });
}

function treeOf(command: Command): CommandTree {
  return {
    name: command.name(),
    description: command.description(),
    flags: command.options.flatMap(({ long, description }) =>
      typeof long === 'string' ? { name: long, description } : [],
    ),
    commands: command.commands.map(treeOf),
  };
}
