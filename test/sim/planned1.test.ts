import { plannedSeeds } from "./planned.js";

plannedSeeds(1, 100);
