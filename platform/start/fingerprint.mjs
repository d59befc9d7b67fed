// Names the content of files, so that a step runs only when what it reads has changed.
import crypto from 'crypto';
import fs from 'fs';
import path from 'path';

/** Relative paths of the files below `folders`, sorted, that `isWanted` accepts. */
export function listFiles(root, folders, isWanted) {
  const found = [];
  const visit = (relative) => {
    let entries;
    try {
      entries = fs.readdirSync(path.join(root, relative), { withFileTypes: true });
    } catch (error) {
      if (error.code === 'ENOENT') {
        return;
      }
      throw error;
    }
    for (const entry of entries) {
      const inner = relative + '/' + entry.name;
      if (entry.isDirectory()) {
        if (entry.name !== 'node_modules' && isWanted(inner + '/')) {
          visit(inner);
        }
      } else if (entry.isFile() && isWanted(inner)) {
        found.push(inner);
      }
    }
  };
  folders.forEach(visit);
  return found.sort();
}

/** SHA-256 over names and contents of the files, and over the other words. */
export function fingerprint(root, files, words) {
  const hash = crypto.createHash('sha256');
  for (const word of words) {
    hash.update(word + '\0');
  }
  for (const file of files) {
    const content = readOrNull(path.join(root, file));
    hash.update(file + '\0' + (content === null ? 'absent' : content.length) + '\0');
    if (content !== null) {
      hash.update(content);
    }
  }
  return hash.digest('hex');
}

export function isStamped(stampFile, wanted) {
  const stamp = readOrNull(stampFile);
  return stamp !== null && stamp.toString().trim() === wanted;
}

export function writeStamp(stampFile, value) {
  fs.mkdirSync(path.dirname(stampFile), { recursive: true });
  fs.writeFileSync(stampFile, value + '\n');
}

function readOrNull(file) {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
      return null;
    }
    throw error;
  }
}
