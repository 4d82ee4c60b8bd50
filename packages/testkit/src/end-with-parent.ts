/**
 * Loaded into a process before its own code (`--import`): it ends when the process that started it is gone, however that
 * went, as where it was killed and could end nobody. It changes nothing else, and keeps no event loop running.
 */

const LOOK_EVERY_MS = 500;
const parent = process.ppid;

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}, LOOK_EVERY_MS).unref();
