// Says in one sentence why this machine cannot run Freshet, or null when it can.
import fs from 'fs';

const nodeNeeded = [20, 19];

/** @returns {string | null} */
export function findMachineProblem() {
  return findNodeProblem(process.versions.node) || findPlatformProblem();
}

/** @param {string} version @returns {string | null} */
export function findNodeProblem(version) {
  const parts = version.split('.').map(Number);
  const isOld =
    parts[0] < nodeNeeded[0] || (parts[0] === nodeNeeded[0] && parts[1] < nodeNeeded[1]);
  if (!isOld) {
    return null;
  }
  return (
    'Freshet needs Node >= ' +
    nodeNeeded.join('.') +
    ', this is ' +
    version +
    ': install Node 22 or 24 from https://nodejs.org (or with nvm: nvm install 24) and try again.'
  );
}

/** @returns {string | null} */
function findPlatformProblem() {
  const here = process.platform + ' ' + process.arch;
  const works = process.platform === 'linux' && ['x64', 'arm64'].indexOf(process.arch) !== -1;
  if (!works) {
    return (
      'Freshet runs on Linux x64 and arm64, this is ' + here + ': use a Linux machine or container.'
    );
  }
  const hasLoader = (names) => names.some((name) => fs.existsSync(name));
  const musl = ['/lib/ld-musl-x86_64.so.1', '/lib/ld-musl-aarch64.so.1'];
  const glibc = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'];
  if (hasLoader(musl) && !hasLoader(glibc)) {
    return 'Freshet needs a Linux with glibc, this one has musl: use a Debian, Ubuntu or Fedora image.';
  }
  return null;
}
