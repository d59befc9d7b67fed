import { expect, test } from 'vitest';
import { createLogger, silentLogger } from '../../../platform/base/mod.ts';

function collect() {
  const lines: Record<string, unknown>[] = [];
  const destination = {
    write: (line: string) => {
      lines.push(JSON.parse(line) as Record<string, unknown>);
    },
  };
  return { lines, destination };
}

test('a child carries the names of its parents', () => {
  const { lines, destination } = collect();
  const logger = createLogger({ level: 'info', destination, bindings: { member: 2 } });
  logger.child({ part: 'gateway' }).info({ port: 7400 }, 'listening');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ member: 2, part: 'gateway', port: 7400, msg: 'listening' });
});

test('what is below the level is not written', () => {
  const { lines, destination } = collect();
  const logger = createLogger({ level: 'warn', destination });
  logger.info('no');
  logger.warn('yes');
  expect(lines.map(({ msg }) => msg)).toEqual(['yes']);
  expect(logger.isLevelEnabled('info')).toBe(false);
});

test('a silent logger is silent', () => {
  expect(silentLogger().isLevelEnabled('fatal')).toBe(false);
});
