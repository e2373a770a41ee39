// The wall clock of a process jumps by CLOCK_JUMP_MS at the first SIGUSR2, and back at the next. Imported before all
// else, so that everything in the process sees the jump, as it would on a machine whose clock is set.

const realNow = Date.now;
const jumpMs = Number(process.env['CLOCK_JUMP_MS'] ?? 0);
let offsetMs = process.env['CLOCK_JUMPED'] === 'at start' ? jumpMs : 0;

Date.now = () => realNow() + offsetMs;
process.on('SIGUSR2', () => {
  offsetMs = jumpMs - offsetMs;
});
