// The engine against the reference (engineReferenceSuite.ts says what that means).
import { replayRows } from "#limpet/bin/replayRows.js";
import { describeEngineReference } from "./engineReferenceSuite.js";

describeEngineReference("engine", replayRows);
