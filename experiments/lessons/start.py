import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Lessons")

with app.setup(hide_code=True):
    import marimo as mo

    from experiments.lessons import Lesson, files


@app.cell(hide_code=True)
def _():
    _rows = []
    for _lesson in map(Lesson.read, files()):
        _link = f'<a href="?file={_lesson.file.name}" target="_blank" style="text-decoration:underline">'
        _rows.append(f"<p>{_link}<strong>{_lesson.number} {_lesson.title}</strong></a><br>{_lesson.line}</p>")
    mo.vstack([mo.md("# Lessons\n\nEach opens in a tab of its own. Begin with the first."), mo.Html("".join(_rows))])
    return


if __name__ == "__main__":
    app.run()
