import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Lessons")

with app.setup(hide_code=True):
    import marimo as mo

    from experiments.lessons import Lesson, files


@app.cell(hide_code=True)
def _():
    _rows = [
        f'<p><a href="?file={lesson.file.name}" target="_blank" style="text-decoration:underline"><strong>{lesson.number} {lesson.title}</strong></a>'
        f"<br>{lesson.line}</p>"
        for lesson in map(Lesson.read, files())
    ]
    mo.vstack([mo.md("# Lessons\n\nEach opens in a tab of its own. Begin with the first."), mo.Html("".join(_rows))])
    return


if __name__ == "__main__":
    app.run()
