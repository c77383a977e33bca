"""What one answer imports, and that its time is measured over new processes."""

import subprocess
import sys
import textwrap

from experiments.voices import answer_speed

HEAVY = ["librosa", "scipy.signal", "scipy.stats", "matplotlib", "pandas", "sklearn", "plotly", "keras", "torch"]


def test_an_answer_an_error_and_the_help_import_no_library_of_pages(tmp_path):
    file = answer_speed.voice(tmp_path / "voice.wav", 0.5)
    code = f"""
        import sys
        from experiments.cli import main
        for arguments in ({str(file)!r}, "--json"), ("missing.wav",), ("--help",):
            sys.argv[1:] = ["predict", *arguments]
            try:
                main()
            except SystemExit:
                pass
        print([name for name in {HEAVY} if name in sys.modules])
        """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert '"seconds": 0.5' in result.stdout
    assert "no such file" in result.stdout + result.stderr
    assert "Usage" in result.stdout
    assert result.stdout.splitlines()[-1] == "[]", result.stdout.splitlines()[-1]


def test_every_run_but_the_first_is_told(monkeypatch):
    asked = []
    monkeypatch.setattr(answer_speed.subprocess, "run", lambda command, **options: asked.append(command[-2]))
    result = answer_speed.main(["me.wav", "--runs", "2"])
    assert asked == ["me.wav"] * 3
    assert result["runs"] == 2
    assert result.keys() >= {"wall_s", "cpu_s"}
