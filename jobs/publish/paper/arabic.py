"""The words and forms of all papers in Arabic: with Western digits, so that tables compare across languages."""

from typing import Final

from jobs.publish.paper.locales import LRI, PDI, Locale, arabic_plural
from jobs.publish.situation.estimate import Trust

ARABIC: Final = Locale(
    language="ar",
    name="العربية",
    direction="rtl",
    plural=arabic_plural,
    thousands=",",
    decimal=".",
    months=(
        "يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر",
    ),
    short_months=(
        "يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر",
    ),
    first_of_month="1",
    date_form="{day} {month} {year}",
    short_date_form="{day} {short_month}",
    month_form="{month} {year}",
    interval="{low} إلى {high}",
    with_interval="{value} ({interval})",
    # Without the signs around them, the percent sign would stand on the other side of its number.
    percent=f"{LRI}{{value}}%{PDI}",
    percent_range=f"{{low}} إلى {LRI}{{high}}%{PDI}",
    share_with_interval=f"{LRI}{{value}}%{PDI} ({{low}} إلى {{high}})",
    coordinates=f"{LRI}{{latitude}}°{PDI} {{north_south}}، {LRI}{{longitude}}°{PDI} {{east_west}}",
    compass=("شمال", "جنوب", "شرق", "غرب"),
    list_separator="؛ ",
    trust={
        Trust.WELL: "معروف جيداً",
        Trust.ROUGHLY: "معروف بالتقريب",
        Trust.BARELY: "غير مؤكد",
        Trust.NOT: "أقل يقيناً من أن يُعرض",
    },
    no_number="غير معروف",
    synthetic="بيانات اصطناعية: لا أحد يعيش هنا",
    restricted="توزيع مقيد: لا يُسلم إلى الغير",
    zone_number="المنطقة {number}",
    zone_named="{number} {name}",
    scale_km="{km} كم",
    tip="{zone}: {n}، {trust}",
    legend="مفتاح الخريطة",
    legend_unsure="غير مؤكد",
    legend_unknown="أقل يقيناً من أن يُعرض",
    chart_alt="{title}، من {first} إلى {last}: من {from_n} إلى {to_n}.",
    chart_alt_one="{title} في {first}: {to_n}.",
    chart_usual="المعتاد",
    unit="كل سجلات المشترك الواحد في شهر الخصوصية {month} (من {first} إلى {last})",
    or_another_month="{unit}، أو في شهر خصوصية آخر محسوب على الميزانية",
    epsilon=f"{LRI}ε\u00a0=\u00a0{{epsilon}}{PDI} عند {LRI}δ\u00a0=\u00a0{{delta}}{PDI}",
    verified_keys="تم التحقق من مجاميع كل حزمة وبطاقتها وحساباتها، ومن مطابقة مفاتيح موقعيها للمفاتيح المعروفة.",
    verified="تم التحقق من مجاميع كل حزمة وبطاقتها وحساباتها، ولم تُقارن مفاتيح الموقعين بمفاتيح معروفة.",
    made_by="أُعد هذا التقرير ببرنامج Whimbrel.",
)  # fmt: skip
