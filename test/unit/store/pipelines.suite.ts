import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { newPipeline, someName } from './store-fixtures.ts';
import type { Subject } from './on-each-database.ts';

const FIRST_PAGE = { page: 0, size: 20 };

export function pipelinesSuite(subject: Subject): void {
  test('A pipeline, when it is created, is found by its id and by its name, with its document as it was given', async () => {
    const created = newPipeline({ tags: ['a b', 'c"d,{}\\', ''] });
    const row = await subject.store.pipelines.create(created);
    expect(row).toMatchObject({ revision: 1, version: '1.0.0', enabled: true, tags: created.tags });
    expect(row.description).toBe('Delays');
    for (const idOrName of [row.pipelineId, created.name]) {
      expect(await subject.store.pipelines.find('default', idOrName)).toEqual(row);
    }
    expect(JSON.stringify(row.document)).toBe(JSON.stringify(created.document));
  });

  test('A pipeline, when another tenant asks for it, is not there', async () => {
    const { pipelines } = subject.store;
    const { pipelineId, name } = await pipelines.create(newPipeline());
    for (const idOrName of [pipelineId, name]) {
      expect(await pipelines.find('other', idOrName)).toBeUndefined();
      expect(await pipelines.update({ ...newPipeline({ tenant: 'other' }), idOrName })).toBeUndefined();
      expect(await pipelines.revisions('other', idOrName, FIRST_PAGE)).toBeUndefined();
      expect(await pipelines.remove('other', idOrName)).toBeUndefined();
      expect(await pipelines.setEnabled('other', idOrName, false)).toBeUndefined();
    }
    expect((await pipelines.find('default', name))?.revision).toBe(1);
    expect((await pipelines.create(newPipeline({ tenant: 'other', name }))).revision).toBe(1);
  });

  test('A name, when it is taken, is refused to those who create or rename, also to racing ones', async () => {
    const { pipelines } = subject.store;
    const name = someName();
    const racing = await Promise.allSettled(Array.from({ length: 5 }, () => pipelines.create(newPipeline({ name }))));
    expect(racing.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of racing) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'CONFLICT' });
    }
    const other = await pipelines.create(newPipeline());
    const renamed = pipelines.update({ ...newPipeline({ name }), idOrName: other.pipelineId });
    await expect(renamed).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('A creation, when its request is made again with its reserved id, answers what it had made', async () => {
    const created = newPipeline({ reservedId: randomUUID() });
    const first = await subject.store.pipelines.create(created);
    expect(await subject.store.pipelines.create(created)).toEqual(first);
    await expect(subject.store.pipelines.create({ ...created, reservedId: randomUUID() })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });

  test('A pipeline, when it is updated by racing requests, has a revision of each, and the old ones stay', async () => {
    const { pipelines } = subject.store;
    const created = newPipeline();
    const { pipelineId } = await pipelines.create(created);
    const versions = ['2', '3', '4', '5'];
    await Promise.all(versions.map((version) => pipelines.update({ ...created, version, idOrName: pipelineId })));
    const revisions = await pipelines.revisions('default', created.name, { page: 0, size: 2 });
    expect(revisions).toMatchObject({ total: 5, items: [{ revision: 5 }, { revision: 4 }] });
    expect((await pipelines.find('default', pipelineId))?.version).toBe(revisions?.items[0]?.version);
    expect((await pipelines.revision(pipelineId, 1)).version).toBe('1.0.0');
    await expect(pipelines.revision(pipelineId, 6)).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
  });

  test('A pipeline, when it is removed, is gone, its revisions stay and its name is free', async () => {
    const { pipelines } = subject.store;
    const { pipelineId, name } = await pipelines.create(newPipeline());
    expect(await pipelines.remove('default', name)).toBe(pipelineId);
    expect(await pipelines.remove('default', name)).toBeUndefined();
    expect(await pipelines.find('default', pipelineId)).toBeUndefined();
    expect((await pipelines.revision(pipelineId, 1)).revision).toBe(1);
    expect((await pipelines.create(newPipeline({ name }))).pipelineId).not.toBe(pipelineId);
  });

  test('A pipeline, when it is disabled and enabled, says so', async () => {
    const { pipelines } = subject.store;
    const { name } = await pipelines.create(newPipeline());
    expect((await pipelines.setEnabled('default', name, false))?.enabled).toBe(false);
    expect((await pipelines.setEnabled('default', name, true))?.enabled).toBe(true);
  });

  test('The list of pipelines, when there are several pages, has each of the tenant once, newest first', async () => {
    const { pipelines } = subject.store;
    const tenant = randomUUID();
    const names: string[] = [];
    for (let n = 0; n < 5; n++)
      names.unshift((await pipelines.create(newPipeline({ tenant, tags: [`t${n % 2}`] }))).name);
    const pages = await Promise.all([0, 1, 2, 3].map((page) => pipelines.list(tenant, { page, size: 2 })));
    expect(pages.flatMap(({ items }) => items.map(({ name }) => name))).toEqual(names);
    expect(pages.map(({ total }) => total)).toEqual([5, 5, 5, 5]);
    expect((await pipelines.list(tenant, FIRST_PAGE, { tag: 't1' })).total).toBe(2);
    expect((await pipelines.list(tenant, { page: Number.MAX_SAFE_INTEGER, size: 100 })).items).toEqual([]);
  });

  test('A document with what cannot be stored, when it is created, is the caller’s fault', async () => {
    for (const description of ['a\0b', 'a\ud800b']) {
      const created = newPipeline();
      const strange = { ...created, document: { ...created.document, description } };
      await expect(subject.store.pipelines.create(strange)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
      expect(await subject.store.pipelines.find('default', created.name)).toBeUndefined();
    }
  });

  test('A name with a NUL character, when it is looked up, is the caller’s fault', async () => {
    await expect(subject.store.pipelines.find('default', 'a\0b')).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });
}
