/** Preloaded into each process of the fleet: it drains when the command that started it is gone, however it went. */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();
