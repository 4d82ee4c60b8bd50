/** What a shell needs to complete `hookfleet`: made of the commands themselves, so that none is forgotten. Pure. */
export interface CommandTree {
  readonly name: string;
  readonly description: string;
  /** Long flags. */
  readonly flags: readonly { readonly name: string; readonly description: string }[];
  readonly commands: readonly CommandTree[];
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(shell: Shell, tree: CommandTree): string {
  switch (shell) {
    case 'bash':
      return bashScript(tree);
    case 'zsh':
      // zsh reads bash's completions.
      return `autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(tree)}`;
    case 'fish':
      return fishScript(tree);
  }
}

/** Each command by its words, as in "channels test"; the program itself is "". */
function paths(tree: CommandTree, words: readonly string[] = []): { path: string; command: CommandTree }[] {
  return [
    { path: words.join(' '), command: tree },
    ...tree.commands.flatMap((command) => paths(command, [...words, command.name])),
  ];
}

/** The words so far that are names of commands say where one is; then commands, flags, or files are offered. */
function bashScript(tree: CommandTree): string {
  const cases = paths(tree).map(({ path, command }) => {
    const words = [...command.commands.map(({ name }) => name), ...command.flags.map(({ name }) => name)];
    return `    '${path}') words='${words.join(' ')}' ;;`;
  });
  const known = paths(tree)
    .map(({ path }) => `'${path}'`)
    .join('|');
  return `_hookfleet() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in ${known}) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F _hookfleet hookfleet
`;
}

function fishScript(tree: CommandTree): string {
  const lines = paths(tree).flatMap(({ path, command }) => {
    const condition = fishCondition(path.split(' ').filter(Boolean), command);
    return [
      ...command.commands.map(
        ({ name, description }) =>
          `complete -c hookfleet -f -n ${quoted(condition)} -a ${name} -d ${quoted(description)}`,
      ),
      ...command.flags.map(
        ({ name, description }) =>
          `complete -c hookfleet -n ${quoted(condition)} -l ${name.slice(2)} -d ${quoted(description)}`,
      ),
    ];
  });
  return `${lines.join('\n')}\n`;
}

function fishCondition(words: readonly string[], { commands }: CommandTree): string {
  const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`);
  const names = commands.map(({ name }) => name).join(' ');
  const further = names === '' ? [] : [`not __fish_seen_subcommand_from ${names}`];
  return [...seen, ...further].join('; and ');
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
}
