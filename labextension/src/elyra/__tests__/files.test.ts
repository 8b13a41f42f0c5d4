import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { baseName, fileOf, hasElyra } from '../files';

describe('files of nodes', () => {
  const files = { files: { load: 'sub/load.ipynb' } };

  test('a node that runs a file has it', () => {
    assert.equal(fileOf(files, 'load'), 'sub/load.ipynb');
  });

  test('a component, nothing and what is not loaded yet have none', () => {
    assert.equal(fileOf(files, 'component'), null);
    assert.equal(fileOf(files, null), null);
    assert.equal(fileOf(null, 'load'), null);
  });

  test('the last part of a path', () => {
    assert.equal(baseName('a/b.py'), 'b.py');
    assert.equal(baseName('b.py'), 'b.py');
  });
});

describe('whose editor opens the file', () => {
  test("Elyra's where it is installed", () => {
    assert.equal(hasElyra(['@jupyterlab/docmanager-extension:plugin', 'pipeline']), true);
    assert.equal(hasElyra(['@elyra/pipeline-editor-extension:plugin']), true);
  });

  test('ours where it is not', () => {
    assert.equal(
      hasElyra(['@elyra/theme-extension', '@jupyter-kubeflow/labextension:pipelines']),
      false
    );
  });
});
