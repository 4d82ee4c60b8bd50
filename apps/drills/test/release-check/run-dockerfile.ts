/**
 * Carries out a Dockerfile without an engine: each stage is a directory, each COPY a copy, each RUN a shell in it. What
 * it can't show: the base image, its libraries, layers, users, and the limits of a container.
 *
 * It knows the instructions that our Dockerfile uses, and throws for any other.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

export interface Instruction {
  readonly keyword: string;
  readonly rest: string;
}

export interface Stage {
  readonly name: string;
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

/** What a container of a stage would be started with. */
export interface BuiltImage {
  /** Stands for the container's root directory. */
  readonly root: string;
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly healthCheck: readonly string[];
  readonly user: string;
  readonly exposed: readonly string[];
}

const RUN_TIMEOUT_MS = 300_000;

/** Arguments before the first FROM are put in; continued lines are joined. */
export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n');
  const given = new Map<string, string>();
  const stages: { name: string; from: string; instructions: Instruction[] }[] = [];
  for (const line of lines.filter((one) => one.trim() !== '')) {
    const [, keyword = '', written = ''] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? [];
    const rest = written.replaceAll(/\$\{(\w+)\}/g, (all, name: string) => given.get(name) ?? all);
    if (keyword === 'ARG' && stages.length === 0) given.set(...(rest.split('=') as [string, string]));
    else if (keyword === 'FROM') {
      const [, from = '', name = String(stages.length)] = /^(\S+)(?:\s+AS\s+(\S+))?$/.exec(rest) ?? [];
      stages.push({ name, from, instructions: [] });
    } else stages.at(-1)?.instructions.push({ keyword, rest });
  }
  return stages;
}

/** Builds stages below `directory`, each once, and first those that it is made of. */
export async function createBuilder(
  stages: readonly Stage[],
  { directory, context, ignoreFile }: { directory: string; context: string; ignoreFile: string },
): Promise<(name: string) => Promise<BuiltImage>> {
  const isIgnored = createIgnore(await readFile(ignoreFile, 'utf8'));
  const built = new Map<string, Promise<BuiltImage>>();

  function build(stageName: string): Promise<BuiltImage> {
    const known = built.get(stageName);
    if (known !== undefined) return known;
    const stage = stages.find((one) => one.name === stageName);
    if (stage === undefined) throw new Error(`no stage ${stageName}`);
    const result = carryOut(stage);
    built.set(stageName, result);
    return result;
  }

  async function carryOut(stage: Stage): Promise<BuiltImage> {
    const root = join(directory, stage.name);
    let image: BuiltImage;
    if (stages.some((one) => one.name === stage.from)) {
      const base = await build(stage.from);
      await copy(base.root, root);
      image = { ...base, root };
    } else {
      await mkdir(root, { recursive: true });
      image = {
        root,
        workingDirectory: '/',
        environment: {},
        entrypoint: [],
        healthCheck: [],
        user: '',
        exposed: [],
      };
    }
    for (const instruction of stage.instructions) image = await perform(image, instruction);
    return image;
  }

  async function perform(image: BuiltImage, { keyword, rest }: Instruction): Promise<BuiltImage> {
    const inImage = (path: string) => join(image.root, image.workingDirectory, path);
    switch (keyword) {
      case 'WORKDIR':
        await mkdir(join(image.root, rest), { recursive: true });
        return { ...image, workingDirectory: rest };
      case 'ENV': {
        const pairs = rest.split(/\s+/).map((pair) => pair.split('=') as [string, string]);
        return { ...image, environment: { ...image.environment, ...Object.fromEntries(pairs) } };
      }
      case 'USER':
        return { ...image, user: rest };
      case 'EXPOSE':
        return { ...image, exposed: [...image.exposed, rest] };
      case 'STOPSIGNAL':
        return image;
      case 'ENTRYPOINT':
        return { ...image, entrypoint: JSON.parse(rest) as string[] };
      case 'HEALTHCHECK':
        return {
          ...image,
          healthCheck: JSON.parse(rest.slice(rest.indexOf('CMD ') + 'CMD '.length)) as string[],
        };
      case 'COPY': {
        const [, from, paths = ''] = /^(?:--from=(\S+)\s+)?(.*)$/.exec(rest) ?? [];
        const names = paths.split(/\s+/);
        const target = names.pop() ?? '';
        const source = from === undefined ? undefined : await build(from);
        for (const path of names) {
          const to = inImage(names.length > 1 || target.endsWith('/') ? join(target, path) : target);
          if (source !== undefined) await copy(join(source.root, path), to);
          else await copyFromContext(path, to);
        }
        return image;
      }
      case 'RUN':
        await runShell(rest.replaceAll(/--mount=\S+\s+/g, ''), image);
        return image;
      default:
        throw new Error(`this does not know ${keyword}`);
    }
  }

  /** What .dockerignore leaves of it. */
  async function copyFromContext(path: string, to: string): Promise<void> {
    const filter = (source: string) => !isIgnored(source.slice(context.length).replace(/^\//, ''));
    await cp(join(context, path), to, { recursive: true, filter });
  }

  return build;
}

async function runShell(command: string, image: BuiltImage): Promise<void> {
  // Programs that a RUN installs are the image's, not this machine's.
  const prefix = join(image.root, 'usr/local');
  try {
    await promisify(execFile)('sh', ['-ec', command], {
      cwd: join(image.root, image.workingDirectory),
      timeout: RUN_TIMEOUT_MS,
      maxBuffer: 16 * 1024 * 1024,
      env: {
        HOME: process.env['HOME'] ?? '',
        ...npmSettings(),
        CI: 'true',
        // The image's node is of the version that runs this.
        PATH: [`${prefix}/bin`, dirname(process.execPath), process.env['PATH']].join(':'),
        npm_config_prefix: prefix,
        ...image.environment,
      },
    });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`RUN ${command}\n${(stdout + stderr).slice(-4_000)}`);
  }
}

/** How this machine reaches its package registry, where the environment says so. */
function npmSettings(): Record<string, string> {
  const names = Object.keys(process.env).filter((name) =>
    /^(npm_config_(registry|userconfig|globalconfig|cafile)|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS)$/i.test(
      name,
    ),
  );
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? '']));
}

/** Links stay links: node_modules is made of them. */
async function copy(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, verbatimSymlinks: true });
}

/** The rules of .dockerignore: the last pattern that fits the path, or a folder above it, decides. */
function createIgnore(text: string): (path: string) => boolean {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ isException: line.startsWith('!'), pattern: toPattern(line.replace(/^!/, '')) }));
  return (path) => {
    if (path === '') return false;
    const parts = path.split('/');
    const prefixes = parts.map((_, i) => parts.slice(0, i + 1).join('/'));
    const last = rules.findLast(({ pattern }) => prefixes.some((prefix) => pattern.test(prefix)));
    return last !== undefined && !last.isException;
  };
}

function toPattern(glob: string): RegExp {
  const source = glob
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('**/', '\0')
    .replaceAll('*', '[^/]*')
    .replaceAll('\0', '(?:.*/)?');
  return new RegExp(`^${source}$`);
}

/** Every file below, from there on. */
export async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}
