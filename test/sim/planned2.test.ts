import { plannedSeeds } from "./planned.js";

plannedSeeds(101, 100);
