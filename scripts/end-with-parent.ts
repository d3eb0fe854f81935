/**
 * Preloaded into a service that a script started (`node --import`): it ends in order when the script is gone, also when
 * that got SIGKILL. What it hears is the end of the channel between them.
 */
process.once('disconnect', () => {
  process.kill(process.pid, 'SIGTERM');
});
// Waiting for that alone keeps no process alive.
process.channel?.unref();
