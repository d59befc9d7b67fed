// The second half of `npm run generate`: has the generated types use the reader of binary.ts.
//   node platform/wire/read-numbers.mjs FILE
import { readFileSync, writeFileSync } from 'node:fs';

const library = 'import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";';
const replacements = [
  [
    library,
    `${library.replace('BinaryReader, ', '')}\nimport { BinaryReader } from "../binary.ts";`,
  ],
  ['longToNumber(reader.uint64())', 'reader.safeUint64()'],
  ['longToNumber(reader.int64())', 'reader.safeInt64()'],
  [/function longToNumber.*?\n}\n\n/gs, ''],
];

const file = process.argv[2];
let text = readFileSync(file, 'utf8');
for (const [from, to] of replacements) {
  const replaced = text.replaceAll(from, to);
  if (replaced === text) throw new Error(`nothing in ${file} is like ${String(from)}`);
  text = replaced;
}
writeFileSync(file, text);
