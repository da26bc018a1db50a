// The process slices move to in `npm run bench -- move`: says who it is, and ends with its parent.
import { startMoveOwner } from "./moveOwner.js";

const { self } = await startMoveOwner("peer");
process.on("disconnect", () => process.exit(0));
process.send?.(self);
