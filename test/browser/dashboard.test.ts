import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { build } from 'vite';
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest';
import { silentLogger } from '../../platform/base/mod.ts';
import { GrpcDoor } from '../../platform/client/grpc/mod.ts';
import { freePorts } from '../../platform/local-cluster.ts';
import { type Member, startMember } from '../../platform/node.ts';
import { servingPart, type ServingPorts } from '../../platform/serving.ts';
import { loopbackDoors } from '../support/loopback-doors.ts';
import {
  findTool,
  makeTempFolder,
  repositoryRoot,
  requireTool,
  type TemporaryFolder,
} from '../support/mod.ts';

const MiB = 1024 * 1024;
const { host } = loopbackDoors;
const dashboard = join(repositoryRoot, 'platform/gateway/dashboard');
let folder: TemporaryFolder;
let members: Member[] = [];
let ports: ServingPorts;
let door: GrpcDoor;
let browser: Browser | null = null;

/** Three members, the page as it is built from its sources now, and a real browser. */
beforeAll(async () => {
  const chromiumPath = findTool('chromium');
  if (chromiumPath === null) return;
  folder = await makeTempFolder('dashboard');
  const page = join(folder.path, 'page');
  await build({ root: dashboard, logLevel: 'error', build: { outDir: page, emptyOutDir: true } });
  members = await startMembers(page);
  door = new GrpcDoor(`${host}:${String(ports.grpc)}`, { token: null, timeoutMs: 20_000 });
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
  browser = await chromium.launch({ executablePath: chromiumPath, args });
});

afterAll(async () => {
  if (browser === null) return;
  await browser.close();
  await door.close();
  await Promise.all(members.map((member) => member.close()));
  await folder.remove();
});

test('members, objects as they are put, and an older value by the time slider', async (context) => {
  const { page, complaints } = await openPage(context);
  await door.createPool({ name: '/barn/notes', kind: 'persistent' });

  await textOf(page, 'state', 'Answering');
  for (const id of [1, 2, 3]) {
    await page.getByText(new RegExp(`member ${String(id)}.*up`)).waitFor();
  }

  await page.getByTestId('pool').selectOption('/barn/notes');
  await page.getByText('No keys').waitFor();
  const first = await putNote({ litres: 14.2 });
  await page.getByTestId('keys').getByText('cow_128').waitFor();
  await textOf(page, 'text', '14.2');

  const second = await putNote({ litres: 15.7 });
  await textOf(page, 'text', '15.7');
  await page.getByTestId('history').getByRole('button').nth(1).waitFor();

  // A version's own moment, by the history; then any moment, by the slider's keys.
  await page
    .getByTestId('history')
    .getByText(`v${String(first.version)}`)
    .click();
  await textOf(page, 'text', '14.2');
  await textOf(page, 'moment', 'as of');
  await page.getByRole('button', { name: 'Now', exact: true }).click();
  await textOf(page, 'moment', 'now');
  await textOf(page, 'text', '15.7');
  await slideTo(page, (first.time + second.time) / 2);
  await textOf(page, 'text', '14.2');
  expect(complaints).toEqual([]);
});

test('a recognised frame is drawn with its cow, and nothing comes from elsewhere', async (context) => {
  const { page, complaints, hosts } = await openPage(context);
  for (const name of ['/dairy/frames', '/dairy/storage', '/dairy/risk']) {
    await door.createPool({ name, kind: 'persistent' });
  }
  const box = { x: 10, y: 8, width: 40, height: 24 };
  const meta = { frame: 'run/1' };
  const picture = await sharp({
    create: { width: 96, height: 72, channels: 3, background: '#335544' },
  })
    .jpeg()
    .toBuffer();
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const typed = { ...meta, 'content-type': 'application/json' };
  const frameMeta = { ...meta, 'content-type': 'image/jpeg', box: JSON.stringify(box) };
  const risk = { cow: 'cow_7', probability: 0.41, withinDays: 1 };
  await door.put({ key: '/dairy/risk/cow_7', value: json(risk), meta: typed });
  await door.put({
    key: '/dairy/frames/cam1',
    value: picture,
    meta: { ...frameMeta, coat: 'white' },
  });
  // What lies there when the page is opened is shown without a name.
  await page.reload();
  const frames = page.getByRole('region', { name: 'Recognised frames' });
  await frames.locator('dd', { hasText: 'white cow' }).waitFor();
  const sighting = {
    cow: 'cow_7',
    coat: 'white',
    similarity: 0.93,
    score: 0.99,
    box,
    nearest: null,
  };
  const known = frames.locator('dd', { hasText: 'cow 7' });
  // The camera goes on seeing her: the page's watch may open after the first result.
  while (!(await known.isVisible())) {
    await door.put({
      key: '/dairy/storage/cow_7/cam1',
      value: json({ ...sighting, frame: { width: 96, height: 72 } }),
      meta: typed,
    });
    await page.waitForTimeout(200);
  }
  await frames.getByText('0.41 within 24 h').waitFor();
  await frames.getByText('0.930').waitFor();
  expect(await hasGreenBox(page)).toBe(true);
  expect([...hosts]).toEqual([`${host}:${String(ports.http)}`]);
  expect(complaints).toEqual([]);
});

async function startMembers(dashboardFolder: string): Promise<Member[]> {
  const replication = await freePorts(3);
  const opened: ServingPorts[] = [];
  const started: Member[] = [];
  for (const [nth] of replication.entries()) {
    const part = servingPart({ ...loopbackDoors, dashboardFolder }, (at) => opened.push(at));
    const config = {
      cluster: { name: 'test' },
      memory: { ringBudgetBytes: 24 * MiB },
      node: nth + 1,
      members: replication.map((port, at) => ({ id: at + 1, host, port })),
      dataFolder: join(folder.path, `member-${String(nth + 1)}`),
    };
    started.push(await startMember(config, { log: silentLogger(), parts: [part] }));
  }
  await Promise.all(started.map((member) => member.whenRunning()));
  ports = opened[0]!;
  return started;
}

async function openPage(context: TestContext) {
  requireTool(context, 'chromium');
  const page = await browser!.newPage({ viewport: { width: 1280, height: 800 } });
  const complaints: string[] = [];
  const hosts = new Set<string>();
  // A pool that does not exist yet is asked for again: that answer is no fault of the page.
  const isExpected = (text: string) => text.includes('404 (Not Found)');
  page.on('console', (message) => {
    const isFault = message.type() === 'error' || message.type() === 'warning';
    if (isFault && !isExpected(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith('http')) hosts.add(url.host);
  });
  const response = await page.goto(`http://${host}:${String(ports.http)}/`);
  expect(response?.headers()['content-security-policy']).toContain("default-src 'none'");
  return { page, complaints, hosts };
}

async function putNote(value: unknown) {
  return door.put({
    key: '/barn/notes/cow_128',
    value: Buffer.from(JSON.stringify(value)),
    meta: { 'content-type': 'application/json' },
  });
}

async function textOf(page: Page, id: string, text: string): Promise<void> {
  await page.getByTestId(id).filter({ hasText: text }).waitFor();
}

/** Moves the slider to a moment, µs, as a hand would: it counts seconds before now. */
async function slideTo(page: Page, moment: number): Promise<void> {
  await page.getByLabel('How far the slider reaches').selectOption({ label: '1 hour' });
  await page.evaluate(`{
    const slider = document.querySelector('[data-testid=time]');
    slider.step = 'any';
    slider.value = String(${String(moment / 1e6)} - Date.now() / 1000);
    slider.dispatchEvent(new Event('input', { bubbles: true }));
  }`);
}

async function hasGreenBox(page: Page): Promise<boolean> {
  return page.evaluate(`{
    const canvas = document.querySelector('section canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let isFound = false;
    for (let at = 0; at < data.length; at += 4) {
      isFound ||= data[at] === 0x4f && data[at + 1] === 0xd3 && data[at + 2] === 0x9c;
    }
    isFound;
  }`);
}
