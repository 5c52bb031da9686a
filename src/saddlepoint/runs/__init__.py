"""A training run on disk: its folder, its session from start to stop, and what is made of it afterwards.

`session` plays a run, keeps its `folder` up to date and opens it for the judge; `report`, `card` and `verdict_page` describe
it; `sampling` and `onnx_export` take samples or the generator out of it.
"""
