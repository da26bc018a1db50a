// Preloaded into a process whose wall clock a test sets: SIGUSR2 an hour forward, SIGUSR1 two hours back.
const wall = Date.now;
let shiftMs = 0;
Date.now = () => wall() + shiftMs;
process.on("SIGUSR2", () => (shiftMs += 3_600_000));
process.on("SIGUSR1", () => (shiftMs -= 7_200_000));
