import { runMemberProcess } from './member-process.ts';

runMemberProcess();
