// The one entry of `npm start`, `npm test` and the other scripts: checks the machine, installs and
// builds what is missing, then goes on. Usage: node platform/start.mjs <command> [arguments]
//
// This file and platform/start/*.mjs depend on nothing, write only to standard error, and keep to
// ES2019, so that an old Node gets far enough to say that it is old.
import { main } from './start/main.mjs';

main(process.argv.slice(2));
