"""``python -m bdgf_core VERB --job -``, behaving as the environment variable FAKE_ENGINE says."""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import threading
import time

CLASSES = [
    {"value": 3, "label": "water", "name": "Open water", "color": "#1122ee"},
    {"value": 9, "label": "wood", "name": "Wood", "color": "#117733"},
]


def say(event: str, **values) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


def write_model(path: str, kind: str, second: bool) -> None:
    sensors = {"spectral": {}, "second": {}} if second else {"spectral": {}}
    document = json.dumps({"sensors": sensors})
    header = json.dumps(
        {"__metadata__": {"format": "bdgf", "version": "1", "kind": kind, "document": document}}
    ).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)


def write_raster(path: str, like: str) -> None:
    from osgeo import gdal

    source = gdal.Open(like)
    size = source.RasterXSize, source.RasterYSize
    raster = gdal.GetDriverByName("GTiff").Create(path, *size, 1, gdal.GDT_Byte)
    raster.SetProjection(source.GetProjection())
    raster.SetGeoTransform(source.GetGeoTransform())
    raster.GetRasterBand(1).SetNoDataValue(255)
    raster.GetRasterBand(1).Fill(3)


def write_points(path: str) -> None:
    from osgeo import ogr

    file = ogr.GetDriverByName("GPKG").CreateDataSource(path)
    layer = file.CreateLayer("suggested_sites", None, ogr.wkbPoint)
    feature = ogr.Feature(layer.GetLayerDefn())
    feature.SetGeometry(ogr.CreateGeometryFromWkt("POINT (500100 5799950)"))
    layer.CreateFeature(feature)


def work(verb: str, job: dict) -> None:
    say("message", text="Device: cpu, since the fake engine knows no other.")
    say("progress", fraction=0.25, eta_s=150.0)
    if verb == "pretrain":
        write_model(job["output"], "pretrained", bool(job["second"]))
        say("result", output=job["output"], steps=1, seconds=0.1, device="cpu")
    elif verb == "train":
        write_model(job["output"], "classifier", bool(job["second"]))
        if job["report"]:
            with open(job["report"], "w") as file:
                file.write("<p>0.75</p>")
        figures = {"overall_accuracy": 0.75, "average_accuracy": 0.5, "kappa": 0.25}
        figures.update(calibration_error=0.125, temperature=1.5)
        if job["validation"] == "none":
            figures = dict.fromkeys(figures)
        say("result", output=job["output"], report=job["report"], classes=CLASSES, **figures)
    elif verb == "classify":
        rasters = ("output", "confidence", "entropy", "disagreement", "ood", "probabilities", "quality")
        for key in rasters:
            if job[key]:
                write_raster(job[key], job["spectral"]["path"])
        if job["report"]:
            with open(job["report"], "w") as file:
                file.write("<p>Open water</p>")
        written = {key: job[key] for key in (*rasters, "report")}
        say("result", classes=CLASSES, **written, mapped_share=0.75, mean_confidence=0.5)
    elif verb == "landcover":
        for key in ("output", "confidence", "entropy", "disagreement", "ood"):
            if job[key]:
                write_raster(job[key], job["spectral"]["path"])
        if job["report"]:
            with open(job["report"], "w") as file:
                file.write("<p>0.75</p>")
        models = {"pretrained": job["output"] + ".models/pretrained.bdgf"}
        models["classifier"] = job["output"] + ".models/classifier.bdgf"
        figures = {"overall_accuracy": 0.75, "average_accuracy": 0.5, "kappa": 0.25}
        say("result", classes=CLASSES, report=job["report"], output=job["output"], **models, **figures)
    elif verb == "assess":
        for key in ("html", "csv", "json"):
            if job[key]:
                with open(job[key], "w") as file:
                    file.write("0.75")
        figures = {"overall_accuracy": 0.75, "average_accuracy": 0.5, "kappa": 0.25}
        say("result", html=job["html"], csv=job["csv"], json=job["json"], **figures, samples=8, classes=[])
    elif verb == "suggestsites":
        write_points(job["output"])
        say("result", output=job["output"], sites=1, distance=4)
    elif verb == "checkinputs":
        for key in ("report", "json"):
            if job[key]:
                with open(job[key], "w") as file:
                    file.write("fine")
        files = {key: job[key] for key in ("report", "json")}
        say("result", **files, errors=0, warnings=1, notes=2, shift_m=30.0, shift_pixels=None)
    elif verb == "trainingsummary":
        for key in ("report", "json", "csv"):
            if job[key]:
                with open(job[key], "w") as file:
                    file.write("water")
        summary = {"classes": [{"pixels": 40}, {"pixels": 12}], "separability": [{"value": 1.5}], "advice": ["Draw."]}
        say("result", summary=summary, **{key: job[key] for key in ("report", "json", "csv")})
    elif verb == "environment":
        say("result", html=job.get("html"), json=job.get("json"), document=look(job))
    else:
        for key in ("html", "json"):
            if job[key]:
                with open(job[key], "w") as file:
                    file.write("{}")
        say("result", html=job["html"], json=job["json"], summary={})


def look(job: dict) -> dict:
    """An environment report of a machine without a GPU; the packages are those that are really found."""
    document = {"machine": {"system": "Linux", "release": "6", "architecture": "x86_64", "libc": "glibc 2.36"}}
    document["machine"].update(driver=None, gpus=[], processors=2, memory_mb=8000)
    document["python"] = {"version": f"3.{sys.version_info[1]}.0", "implementation": "CPython", "bits": 64}
    document["packages"] = [{"name": "numpy", "version": "1.24.2", "folder": "", "failure": None}]
    problems = list(job.get("problems") or [])
    try:
        import tinytorch

        tinytorch.multiply()
        document["packages"].append({"name": "torch", "version": tinytorch.VERSION, "folder": "", "failure": None})
    except Exception as error:
        problems.append(f"tinytorch: {error}")
    document.update(ok=not problems, problems=problems, remarks=[], facts=dict(job.get("facts") or []))
    document["self_test"] = [] if job.get("test") is False else [{"title": "tensors", "ok": True, "detail": "fine"}]
    for key in ("html", "json"):
        if job.get(key):
            with open(job[key], "w") as file:
                json.dump(document, file)
    return document


def wait_for_cancel() -> None:
    for line in sys.stdin:
        if line.strip() == "cancel":
            break
    say("error", kind="Canceled", text="Canceled; no output was written.")
    os._exit(130)


def main() -> None:
    verb, mode = sys.argv[1], os.environ.get("FAKE_ENGINE", "")
    job = json.loads(sys.stdin.readline())
    if "FAKE_ENGINE_JOB" in os.environ:
        with open(os.environ["FAKE_ENGINE_JOB"], "w") as file:
            json.dump({"job": job, "environment": dict(os.environ), "pid": os.getpid()}, file)
    if mode == "slow":
        say("progress", fraction=0.5, eta_s=None)
        threading.Thread(target=wait_for_cancel).start()
        time.sleep(60)
    elif mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say("progress", fraction=0.5, eta_s=None)
        time.sleep(60)
    elif mode == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif mode == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif mode == "error":
        say("error", kind="InputError", text="Band 7 of Größe.tif holds no data; choose others.")
        sys.exit(1)
    elif mode == "broken":
        raise ImportError("libcudart.so.12: cannot open shared object file")
    elif mode == "noise":
        print("a library says hello")
        print("[1, 2]", flush=True)
        say("warning", text="Two bands were left out.")
        say("progress", fraction=0.9, eta_s=None)
        say("progress", fraction=0.1, eta_s=None)
        work(verb, job)
    else:
        work(verb, job)


if __name__ == "__main__":
    main()
